"""The walkthrough: the arrays and equations of one training step."""

from handloom.walkthroughs.own_network import walkthrough as walkthrough
from handloom.walkthroughs.pages import Walkthrough as Walkthrough
