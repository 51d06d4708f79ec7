CREATE TABLE nodes (
  id $IDENTITY,
  uuid TEXT NOT NULL UNIQUE,
  name TEXT UNIQUE,
  instance_uuid TEXT UNIQUE,
  chassis_uuid TEXT NOT NULL,
  allocation_uuid TEXT NOT NULL,
  driver TEXT NOT NULL,
  resource_class TEXT NOT NULL,
  conductor_group TEXT NOT NULL,
  owner TEXT NOT NULL,
  lessee TEXT NOT NULL,
  shard TEXT NOT NULL,
  description TEXT NOT NULL,
  provision_state TEXT NOT NULL,
  target_provision_state TEXT NOT NULL,
  power_state TEXT NOT NULL,
  target_power_state TEXT NOT NULL,
  reservation TEXT NOT NULL,
  last_error TEXT NOT NULL,
  maintenance SMALLINT NOT NULL,
  maintenance_reason TEXT NOT NULL,
  fault TEXT NOT NULL,
  retired SMALLINT NOT NULL,
  retired_reason TEXT NOT NULL,
  protected SMALLINT NOT NULL,
  protected_reason TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  provision_updated_at BIGINT NOT NULL,
  inspection_started_at BIGINT NOT NULL,
  inspection_finished_at BIGINT NOT NULL,
  details TEXT NOT NULL
);
CREATE INDEX nodes_reservation ON nodes (reservation);
CREATE INDEX nodes_provision_state ON nodes (provision_state);
CREATE INDEX nodes_resource_class ON nodes (resource_class);
CREATE TABLE records (
  id $IDENTITY,
  kind TEXT NOT NULL,
  uuid TEXT NOT NULL,
  name TEXT,
  node_uuid TEXT NOT NULL,
  document TEXT NOT NULL,
  UNIQUE (kind, uuid),
  UNIQUE (kind, name)
);
CREATE INDEX records_node ON records (kind, node_uuid);
