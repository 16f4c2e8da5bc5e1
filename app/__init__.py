"""MindGraph: diagrams and a knowledge space on PostgreSQL, Redis and Qdrant."""

__version__ = "0.1.0"
