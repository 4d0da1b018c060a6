"""Anomaly detection on parts photographed under several lights: Attention Fusion Reverse Distillation."""

__version__ = "0.1.0"
