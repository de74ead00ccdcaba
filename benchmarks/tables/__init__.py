"""Real tables: from the CSV file to predictions of raw rows, beside scikit-learn."""
