"""Readers of file formats: IDX, .npy and image folders."""
