"""Datasets: sources, file formats, transforms, augmentation and mini-batches."""

from handloom.data.columns import Columns
from handloom.data.dataset import Dataset, Splits
from handloom.data.formats.idx import read_idx
from handloom.data.formats.idx_folders import read_idx_folder
from handloom.data.formats.image_folders import read_image_folders, write_image_folders
from handloom.data.formats.image_options import ImageOptions
from handloom.data.formats.npy import read_npy
from handloom.data.sources.download import DownloadError
from handloom.data.sources.fashion_mnist import fashion_mnist
from handloom.data.sources.open_folder import open_folder
from handloom.data.sources.open_table import open_table, split_frame
from handloom.data.sources.silhouettes import silhouettes
from handloom.data.sources.toys import circles, moons, sine, spiral, xor
from handloom.data.sources.verify import Report, verify
from handloom.data.transforms import (
    AsFloat,
    Scale,
    Transform,
    transform_for,
    transform_from_config,
)

__all__ = [
    "AsFloat",
    "Columns",
    "Dataset",
    "DownloadError",
    "ImageOptions",
    "Report",
    "Scale",
    "Splits",
    "Transform",
    "circles",
    "fashion_mnist",
    "moons",
    "open_folder",
    "open_table",
    "read_idx",
    "read_idx_folder",
    "read_image_folders",
    "read_npy",
    "silhouettes",
    "sine",
    "spiral",
    "split_frame",
    "transform_for",
    "transform_from_config",
    "verify",
    "write_image_folders",
    "xor",
]
