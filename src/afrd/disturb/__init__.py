"""What a station does to captures between good parts: noise, compression, blur, dimmed lights, hot pixels, vibration.

NumPy and OpenCV only, so that a station can use it where torch is not installed.
"""

from afrd.disturb.disturbance import KINDS, STANDARD, Disturbance, Kind, apply, disturb_capture, follow

__all__ = ["KINDS", "STANDARD", "Disturbance", "Kind", "apply", "disturb_capture", "follow"]
