"""Database tables (SQLModel), one noun per file with its queries. Trained models live in classifiers/artifacts."""
