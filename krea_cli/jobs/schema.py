"""
The tables of the journal, and how SQLite is to keep them.
"""

from __future__ import annotations

# A journal of a higher one is left alone (hazard J8).
VERSION = 2
PAGE_BYTES = 4096
TABLES = {"records", "uploads"}
SETTINGS = f"""
PRAGMA page_size = {PAGE_BYTES};
PRAGMA synchronous = FULL;
-- Without it macOS leaves a commit in the disk's own cache.
PRAGMA fullfsync = ON;
PRAGMA secure_delete = ON;
-- Prompts go to no other file.
PRAGMA temp_store = MEMORY;
"""
# Only makes looks quick, so a journal without it is no other layout.
BY_DURATION = """
CREATE INDEX IF NOT EXISTS records_by_duration ON records (service, model)
WHERE state = 'completed' AND seconds IS NOT NULL
"""
_RECORDS = f"""
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
  holder TEXT NOT NULL
);
CREATE INDEX records_by_service ON records (service);
CREATE INDEX records_by_state ON records (state, created_at);
CREATE INDEX records_by_job ON records (job_id);
CREATE INDEX records_by_run ON records (run);
{BY_DURATION};
"""
SCHEMA = f"""
BEGIN;
{_RECORDS}
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
# The first layout kept no requests.
UPGRADE = f"""
DROP INDEX IF EXISTS records_by_job;
DROP INDEX IF EXISTS records_by_time;
ALTER TABLE records RENAME TO former;
{_RECORDS}
INSERT INTO records (record, run, service, created_at, model, request, request_sha256,
  seed, cost_usd, state, job_id, files, holder)
SELECT record, run, service, created_at, model,
  json_object('path', '', 'body', json_object(), 'webhook', NULL), '',
  seed, cost_usd, state, job_id, files, '' FROM former ORDER BY rowid;
DROP TABLE former;
PRAGMA user_version = {VERSION};
"""  # noqa: S608  (names)
