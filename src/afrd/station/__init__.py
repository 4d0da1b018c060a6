"""The station: captures in, verdicts out, everything on record. One service on one machine.

In the order of a capture's way: `uploads` brings it, `intake` checks it before it is decoded, `line` queues it, `judge`
asks the inspector, `store` keeps images, map and record, `api` shows them. `service` puts one station together.
Knows the inspector and no tensors. Needs the extra `station`.
"""
