"""
Define the tables of the journal, and how SQLite stores them.
"""

from __future__ import annotations

# Journals with a higher version are left alone.
VERSION = 4
PAGE_BYTES = 4096
TABLES = {"records", "uploads", "pruned"}
SETTINGS = f"""
PRAGMA page_size = {PAGE_BYTES};
PRAGMA synchronous = FULL;
-- Without it macOS leaves a commit in the disk's own cache.
PRAGMA fullfsync = ON;
PRAGMA secure_delete = ON;
-- Prompts go to no other file.
PRAGMA temp_store = MEMORY;
"""
# Indexes only make queries faster, so a journal without them has the same layout.
INDEXES = """
CREATE INDEX IF NOT EXISTS records_by_service ON records (service);
CREATE INDEX IF NOT EXISTS records_by_job_id ON records (service, job_id);
CREATE INDEX IF NOT EXISTS records_by_status ON records (service, state);
CREATE INDEX IF NOT EXISTS records_by_created_at ON records (service, created_at);
CREATE INDEX IF NOT EXISTS records_by_run ON records (run);
CREATE INDEX IF NOT EXISTS records_by_duration ON records (service, model)
  WHERE state = 'completed' AND seconds IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_unconfirmed ON records (service, state)
  WHERE state IN ('intended', 'unknown');
DROP INDEX IF EXISTS records_by_state;
DROP INDEX IF EXISTS records_by_job;
DROP INDEX IF EXISTS records_by_time;
"""
# `key` identifies repeated requests. `known_by` is the highest record number at the
# time the job id was committed: the job is older than the requests of all records with
# higher numbers. `ahead` and `seen` belong to unconfirmed requests: see `sightings`.
# `output` says how the run saves its results, and `first_index` is the `{index}` of the
# job's first result.
_RECORDS = """
CREATE TABLE records (
  number INTEGER PRIMARY KEY,
  record TEXT NOT NULL UNIQUE,
  run TEXT NOT NULL,
  service TEXT NOT NULL,
  created_at REAL NOT NULL,
  resent_at REAL,
  model TEXT NOT NULL,
  request TEXT NOT NULL,
  request_sha256 TEXT NOT NULL,
  seed INTEGER,
  cost_usd REAL,
  state TEXT NOT NULL,
  job_id TEXT,
  files TEXT NOT NULL,
  seconds REAL,
  holder TEXT NOT NULL,
  token_digest TEXT,
  key TEXT,
  known_by INTEGER,
  ahead REAL,
  seen TEXT,
  output TEXT,
  first_index INTEGER
);
"""
# Data that remains of pruned records.
_PRUNED = """
CREATE TABLE pruned (
  service TEXT NOT NULL,
  job_id TEXT NOT NULL,
  key TEXT,
  file_sha256s TEXT NOT NULL,
  PRIMARY KEY (service, job_id)
);
CREATE INDEX pruned_by_key ON pruned (service, key) WHERE key IS NOT NULL;
"""
# Unconfirmed requests that the user has stopped tracking. Older journals get the table
# with the first of them.
CLOSED = """
CREATE TABLE IF NOT EXISTS closed (
  service TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (service, record)
)
"""
SCHEMA = f"""
BEGIN;
{_RECORDS}
{INDEXES}
{_PRUNED}
CREATE TABLE uploads (
  service TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  url TEXT NOT NULL,
  uploaded_at REAL NOT NULL,
  PRIMARY KEY (service, sha256)
);
PRAGMA user_version = {VERSION};
COMMIT;
"""
# Old journals do not say which jobs were known when. The jobs of a run were known at
# the latest when the next run made its first request.
_KNOWN_BY = """
UPDATE records SET known_by = (
  SELECT max(number) FROM records AS other WHERE other.run = records.run
) WHERE job_id IS NOT NULL;
"""
# The first layout did not store requests.
UPGRADE_FIRST = f"""
ALTER TABLE records RENAME TO former;
{_RECORDS}
INSERT INTO records (record, run, service, created_at, model, request, request_sha256,
  seed, cost_usd, state, job_id, files, holder)
SELECT record, run, service, created_at, model,
  json_object('path', '', 'body', json_object(), 'webhook', NULL), '',
  seed, cost_usd, state, job_id, files, '' FROM former ORDER BY rowid;
DROP TABLE former;
{INDEXES}
{_KNOWN_BY}
{_PRUNED}
PRAGMA user_version = {VERSION};
"""  # noqa: S608  (names)
_OUTPUT = """
ALTER TABLE records ADD COLUMN output TEXT;
ALTER TABLE records ADD COLUMN first_index INTEGER;
"""
UPGRADE_SECOND = f"""
ALTER TABLE records ADD COLUMN token_digest TEXT;
ALTER TABLE records ADD COLUMN key TEXT;
ALTER TABLE records ADD COLUMN known_by INTEGER;
ALTER TABLE records ADD COLUMN ahead REAL;
ALTER TABLE records ADD COLUMN seen TEXT;
{_OUTPUT}
{INDEXES}
{_KNOWN_BY}
{_PRUNED}
PRAGMA user_version = {VERSION};
"""
# The third layout did not store how results are saved.
UPGRADE_THIRD = f"""
{_OUTPUT}
{INDEXES}
PRAGMA user_version = {VERSION};
"""
