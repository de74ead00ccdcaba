"""A row of one's own: the part of a report in which the reader fills in a row and sees it run."""
