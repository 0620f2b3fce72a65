-- Which relay has a row on its way to Kafka, and since when: another one waits until nothing of it can arrive any more.

alter table outbox add column taken_by uuid, add column taken_at timestamptz;
