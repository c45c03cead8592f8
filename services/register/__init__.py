"""The access register: points and their parts, meters, net users and where they live.

Reads no topic; writes `register-events`; keeps its events, a read model of them, and the key of each net user.
"""
