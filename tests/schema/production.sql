-- A production workflow database as the toolkit finds it: made by somebody else, and never altered by the toolkit.

CREATE TABLE workflows (
  id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text
);

CREATE TABLE nodes (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  workflow_id uuid NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
  position    integer NOT NULL,
  type        text NOT NULL,
  alias       text,
  config      jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE workflow_memory (
  id          serial PRIMARY KEY,
  workflow_id uuid NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
  key         text NOT NULL,
  value       jsonb,
  created_at  timestamptz DEFAULT now(),
  updated_at  timestamptz DEFAULT now(),
  UNIQUE (workflow_id, key)
);
CREATE INDEX workflow_memory_workflow ON workflow_memory (workflow_id);
CREATE INDEX workflow_memory_key ON workflow_memory (key);

CREATE TABLE workflow_records (
  id                   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  workflow_id          uuid NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
  record_id            varchar(255) NOT NULL,
  record_type          varchar(50) NOT NULL,
  iteration_node_alias varchar(255),
  data                 jsonb NOT NULL DEFAULT '{"fields": {}, "vars": {}, "targets": {}, "history": []}',
  status               varchar(50) DEFAULT 'discovered',
  error_message        text,
  retry_count          integer DEFAULT 0,
  created_at           timestamptz DEFAULT now(),
  updated_at           timestamptz DEFAULT now(),
  processed_at         timestamptz,
  UNIQUE (workflow_id, record_id)
);
CREATE INDEX workflow_records_type ON workflow_records (workflow_id, record_type);
CREATE INDEX workflow_records_status ON workflow_records (workflow_id, status);
CREATE INDEX workflow_records_node ON workflow_records (workflow_id, iteration_node_alias)
  WHERE iteration_node_alias IS NOT NULL;
CREATE INDEX workflow_records_data ON workflow_records USING gin (data jsonb_path_ops);

CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at = now();
  RETURN NEW;
END $$;
CREATE TRIGGER workflow_records_touch BEFORE UPDATE ON workflow_records
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
