-- A neutralized copy has no way to the original's sidecar, and watches and warns for nobody.
-- insightpulse.secrets_database_uuid stays: it says whose the sealed secrets are.
DELETE FROM ir_config_parameter
 WHERE key IN ('insightpulse.sidecar_token', 'insightpulse.paired_database_uuid',
               'insightpulse.webhook_url', 'insightpulse.webhook_token');

DELETE FROM res_users_apikeys
 WHERE user_id IN (SELECT id FROM res_users WHERE login = 'insightpulse_sidecar');

INSERT INTO ir_config_parameter (key, value)
VALUES ('insightpulse.monitoring', 'False'),
       ('insightpulse.neutralized', 'True')
    ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value;
