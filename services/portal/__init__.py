"""Web pages for people, in Dutch, English and French; no events of its own.

Reads: export over HTTP, with the token of the person who is signed in. Writes: nothing. Keeps: sessions.
"""
