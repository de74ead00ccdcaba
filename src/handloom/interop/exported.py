"""Exported: the file that an export wrote, and how far its predictions are from the model's."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes
    ----------
    path : Path
        The file that was written.
    format : {"onnx", "torch", "numpy"}
    compared_rows : int
        The number of rows of which predictions were compared; 0 if nothing could be compared.
    largest_difference : float or None
        The largest absolute difference between a prediction of the file and of the model, in the
        units of the predictions; None if nothing was compared.
    relative_difference : float or None
        The same in units of the largest absolute prediction of the model: prices of half a million
        in float32 differ by about 1e-7. None if nothing was compared, or all predictions are 0.
    not_compared : str
        Why nothing was compared, such as a package that is not installed; else empty.
    other_files : tuple of Path
        Files that belong to it.
    outputs : tuple of str
        The names of the outputs of a file of ONNX: the logits, and the predictions; else empty.
    """

    path: Path
    format: str
    compared_rows: int = 0
    largest_difference: float | None = None
    relative_difference: float | None = None
    not_compared: str = ""
    other_files: tuple[Path, ...] = ()
    outputs: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.largest_difference is None:
            return f"{self.path}: not compared with the model: {self.not_compared}"
        return f"{self.path}: predictions for {self.compared_rows:,} rows {self.agreement}"

    @property
    def agreement(self) -> str:
        """How far the predictions are from the model's: ``"differ ... by at most 3e-07"``.

        The relative difference follows where predictions are of another order than 1.
        """
        if self.largest_difference is None:
            return "are not compared"
        if self.largest_difference == 0.0:
            return "are those of the model, to the bit"
        largest, relative = self.largest_difference, self.relative_difference
        text = f"differ from those of the model by at most {largest:.2g}"
        if relative is None or largest / 10 < relative < largest * 10:
            return text
        return f"{text}, {relative:.2g} of the largest"
