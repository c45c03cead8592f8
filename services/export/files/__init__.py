"""Files that leave: one module per layout, from the same series that the API and the pages show."""
