"""The access register: points, and later meters, net users and parties."""
