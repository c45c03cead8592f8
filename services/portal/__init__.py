"""Web pages for people, in Dutch, English and French; no events of its own.

Reads: export and mandate over HTTP, with the token of the person who is signed in; as itself, from mandate what a
holder's link asks and from the register whose points are whose. Writes: consents and withdrawals, as that person, in
mandate. Keeps: sessions.
"""
