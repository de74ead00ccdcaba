"""Sources of datasets: folders, downloads and generators."""
