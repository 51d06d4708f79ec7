INSERT INTO nodes (uuid, name, instance_uuid, chassis_uuid, allocation_uuid, driver, resource_class, conductor_group, owner,
  lessee, shard, description, provision_state, target_provision_state, power_state, target_power_state, reservation, last_error,
  maintenance, maintenance_reason, fault, retired, retired_reason, protected, protected_reason, created_at, updated_at,
  provision_updated_at, inspection_started_at, inspection_finished_at, details)
VALUES ('00000000-0000-4000-8000-000000000001', 'n1', '00000000-0000-4000-8000-000000001001',
  '00000000-0000-4000-8000-000000000700', '00000000-0000-4000-8000-000000001001', 'fake-hardware', 'gold', 'group', 'owner',
  'lessee', 'shard', 'A 100% sure thing; it''s "so"', 'wait call-back', 'active', 'power on', 'power off', 'host', 'none',
  1, 'fans', 'power failure', 1, 'old', 1, 'dear', 1, 2, 3, 4, 5,
  '{"interfaces":{"power":"fake"},"automated_clean":false,"properties":{"cpus":4},"driver_info":{"ipmi_password":"hunter2"},"extra":{"bosh_cpi":{"version":1}},"instance_info":{"image_source":"x"},"driver_internal_info":{"a":1},"network_data":{"b":1},"target_raid_config":{"c":1},"traits":["CUSTOM_A"],"boot_mode":"uefi","driver_state":{"s":"t"},"work":{"kind":"deploy","steps":[{"interface":"deploy","step":"deploy","priority":100,"args":{"x":1},"in_band":true}],"index":0,"event":"heartbeat","deadline":6,"data":{"k":"v"},"manual":true},"agent":{"token":"t","told":true,"url":"u","version":"v","heartbeat":7}}');

INSERT INTO nodes (uuid, name, instance_uuid, chassis_uuid, allocation_uuid, driver, resource_class, conductor_group, owner,
  lessee, shard, description, provision_state, target_provision_state, power_state, target_power_state, reservation, last_error,
  maintenance, maintenance_reason, fault, retired, retired_reason, protected, protected_reason, created_at, updated_at,
  provision_updated_at, inspection_started_at, inspection_finished_at, details)
VALUES ('00000000-0000-4000-8000-000000000002', NULL, NULL, '', '', 'ipmi', '', '', '', '', '', '', 'enroll', '', '', '', '', '',
  0, '', '', 0, '', 0, '', 8, 0, 0, 0, 0, '{}');

INSERT INTO records (kind, uuid, name, node_uuid, document)
VALUES ('port', '00000000-0000-4000-8000-000000000101', '52:54:00:00:00:01', '00000000-0000-4000-8000-000000000001',
  '{"uuid":"00000000-0000-4000-8000-000000000101","node_uuid":"00000000-0000-4000-8000-000000000001","address":"52:54:00:00:00:01","pxe_enabled":true,"physical_network":"storage","local_link_connection":{"switch_id":"x"},"created_at":9,"updated_at":10}');

INSERT INTO records (kind, uuid, name, node_uuid, document)
VALUES ('conductor', 'host', 'host', '', '{"hostname":"host","drivers":["ipmi"],"until":11,"created_at":12,"updated_at":13}');

INSERT INTO records (kind, uuid, name, node_uuid, document)
VALUES ('history', '00000000-0000-4000-8000-000000000301', NULL, '00000000-0000-4000-8000-000000000001',
  '{"uuid":"00000000-0000-4000-8000-000000000301","node_uuid":"00000000-0000-4000-8000-000000000001","conductor":"host","severity":"ERROR","event_type":"cleaning","event":"broke","created_at":14}');
