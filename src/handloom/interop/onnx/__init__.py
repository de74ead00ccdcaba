"""ONNX: models as graphs of standard operators, for runtimes in any language."""
