"""The product's version, once; a test holds pyproject.toml to it."""

VERSION = "0.1.0"
