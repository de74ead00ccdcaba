"""How far the predictions of exported models are from ours, layer by layer."""
