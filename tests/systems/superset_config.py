"""What Superset is configured with; its files are in the folder that SUPERSET_DATA names."""

import os

# Of these tests alone, and in the database that they are made from: another one could not read it.
SECRET_KEY = "the-secret-key-of-superset-in-these-tests"
SQLALCHEMY_DATABASE_URI = f"sqlite:///{os.environ['SUPERSET_DATA']}/superset.db"
DATA_DIR = os.environ["SUPERSET_DATA"]
# It warns of counting in memory, which is what one process needs.
RATELIMIT_STORAGE_URI = "memory://"
