/**
 * Schema versions of `stream.db`, see `openStore`.
 *
 * `message.state`: 0 ready, 1 unacked, 2 delayed until `due_at`, 3 dead letter. `message.seq` is identity; `message.position` is
 * the place in the queue, which a delayed retry gives up; `message.spared` counts the deliveries that no retry policy
 * counts, because their consumer was closed. The counts of each queue and state are kept by triggers, so that `maxLength`, `queueInfo` and health cost the same at any depth.
 */
export const migrations: readonly string[] = [
  `CREATE TABLE queue (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     name TEXT NOT NULL UNIQUE,
     max_length INTEGER,
     message_ttl INTEGER,
     delivery_limit INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE queue_count (
     queue_id INTEGER NOT NULL REFERENCES queue (id) ON DELETE CASCADE,
     state INTEGER NOT NULL,
     count INTEGER NOT NULL DEFAULT 0,
     PRIMARY KEY (queue_id, state)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE message (
     seq INTEGER PRIMARY KEY,
     queue_id INTEGER NOT NULL REFERENCES queue (id),
     state INTEGER NOT NULL DEFAULT 0,
     priority INTEGER NOT NULL,
     position INTEGER NOT NULL,
     attempt INTEGER NOT NULL DEFAULT 0,
     due_at INTEGER,
     expires_at INTEGER,
     ttl INTEGER,
     message_id TEXT NOT NULL,
     encoding TEXT NOT NULL,
     body ANY,
     headers TEXT NOT NULL,
     correlation_id TEXT,
     sent_at INTEGER NOT NULL,
     reason TEXT,
     detail TEXT,
     dead_at INTEGER
   ) STRICT;
   CREATE INDEX message_ready ON message (queue_id, priority DESC, position) WHERE state = 0;
   CREATE INDEX message_unacked ON message (queue_id) WHERE state = 1;
   CREATE INDEX message_due ON message (due_at) WHERE state = 2;
   CREATE INDEX message_dead ON message (queue_id, position) WHERE state = 3;
   CREATE INDEX message_expires ON message (expires_at) WHERE expires_at IS NOT NULL AND state IN (0, 2);
   CREATE TRIGGER message_added AFTER INSERT ON message BEGIN
     UPDATE queue_count SET count = count + 1 WHERE queue_id = NEW.queue_id AND state = NEW.state;
   END;
   CREATE TRIGGER message_moved AFTER UPDATE OF state ON message WHEN OLD.state <> NEW.state BEGIN
     UPDATE queue_count SET count = count - 1 WHERE queue_id = OLD.queue_id AND state = OLD.state;
     UPDATE queue_count SET count = count + 1 WHERE queue_id = NEW.queue_id AND state = NEW.state;
   END;
   CREATE TRIGGER message_removed AFTER DELETE ON message BEGIN
     UPDATE queue_count SET count = count - 1 WHERE queue_id = OLD.queue_id AND state = OLD.state;
   END`,
  'ALTER TABLE message ADD COLUMN spared INTEGER NOT NULL DEFAULT 0',
];
