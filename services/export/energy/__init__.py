"""The readings of one point as the data access API gives them: from metering's blocks to bytes, in numpy. Pure."""
