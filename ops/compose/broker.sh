#!/bin/sh
# One broker of the Compose file: writes its configuration, formats its volume the first time, then is the broker.
# Passwords come from files and go into files that only this user can read, never into an argument or the environment.
#   NODE        this broker's number            ADVERTISED  host:port clients reach it at; it listens there only
#   QUORUM      number@host:port of all nodes   CONTROLLER  host:port of this node in QUORUM
set -eu
umask 077
bin=${KAFKA_BIN:-/opt/kafka/bin}
secrets=${KAFKA_SECRETS:-/run/secrets/kafka}
data=${KAFKA_DATA:-/var/lib/kafka/data}
run=${KAFKA_RUN:-/tmp/jejak}
mkdir -p "$run"

secret() {
    [ -s "$secrets/$1" ] || { echo "broker: $secrets/$1 is missing or unreadable: run jejak secrets" >&2; exit 2; }
    tr -d '\n' <"$secrets/$1"
}
admin=$(secret admin)
controller=$(secret controller)
cluster=$(secret cluster | cut -c 1-22) # as long as Kafka's own
scram=org.apache.kafka.common.security.scram.ScramLoginModule
plain=org.apache.kafka.common.security.plain.PlainLoginModule

cat >"$run/server.properties" <<END
process.roles=broker,controller
node.id=$NODE
controller.quorum.voters=$QUORUM
listeners=CLIENT://$ADVERTISED,CONTROLLER://$CONTROLLER
advertised.listeners=CLIENT://$ADVERTISED
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
# SCRAM cannot bootstrap the controllers' own listener.
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config=$plain required username="controller" password="$controller" user_controller="$controller";
listener.name.client.scram-sha-512.sasl.jaas.config=$scram required username="admin" password="$admin";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:controller
allow.everyone.if.no.acl.found=false
auto.create.topics.enable=false
log.dirs=$data
default.replication.factor=3
min.insync.replicas=2
unclean.leader.election.enable=false
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
# A dead broker's partitions move in some 4 s: before senders, who wait 10 s for an answer, give up.
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
END

if [ ! -e "$data/meta.properties" ]; then
    printf '%s\n' format --cluster-id "$cluster" --config "$run/server.properties" --ignore-formatted \
        --add-scram "SCRAM-SHA-512=[name=admin,password=$admin]" >"$run/format"
    # Its output shows the user's keys: kept from the log.
    "$bin/kafka-storage.sh" "@$run/format" >"$run/format.out" 2>&1 || {
        rm -f "$run/format" "$run/format.out"
        echo "broker: the storage in $data cannot be made; is it writable, and is the disk full?" >&2
        exit 1
    }
    rm -f "$run/format" "$run/format.out"
fi
exec "$bin/kafka-server-start.sh" "$run/server.properties"
