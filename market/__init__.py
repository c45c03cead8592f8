"""The vocabulary and the calendars that every service agrees on; pure, standard library and `holidays` only."""
