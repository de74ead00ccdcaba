"""The network, alive: the part of a report in which the reader changes an image and sees it run."""
