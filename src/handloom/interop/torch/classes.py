"""Classes of PyTorch modules that PyTorch lacks, as they are written to a file."""

RESIDUAL = '''\
class Residual(nn.Module):
    """Adds the output of a block of layers to its input, or to that of a shortcut."""

    def __init__(self, block, shortcut=None):
        super().__init__()
        self.block = block
        self.shortcut = nn.Identity() if shortcut is None else shortcut

    def forward(self, x):
        return self.block(x) + self.shortcut(x)
'''

PADDED_CONVOLUTION = '''\
class PaddedConv2d(nn.Conv2d):
    """A convolution of images with zeros around them: (left, right, top, bottom)."""

    def __init__(self, *sizes, zeros, **options):
        super().__init__(*sizes, **options)
        self.zeros = zeros

    def forward(self, images):
        return super().forward(nn.functional.pad(images, self.zeros))
'''

COLUMN_EMBEDDING = '''\
class ColumnEmbedding(nn.Module):
    """Replaces columns of category indices by learned vectors; the other columns follow.

    Index 0 is a missing value, 1 a category that was not seen, and from 2 on the categories.
    """

    def __init__(self, tables):
        super().__init__()
        self.columns = list(tables)  # column: (number of indices, length of a vector)
        self.tables = nn.ModuleList(nn.Embedding(*sizes) for sizes in tables.values())

    def forward(self, x):
        indices = x[:, self.columns].long().unbind(dim=1)
        vectors = [table(own) for table, own in zip(self.tables, indices)]
        others = [column for column in range(x.shape[1]) if column not in self.columns]
        return torch.cat([*vectors, x[:, others]], dim=1)
'''
