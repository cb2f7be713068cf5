/** Kafka Streams keeping one value by device in RocksDB: the other side of bench/state.py.
 *
 *  java -cp JARS Streams.java BOOTSTRAP APPLICATION INPUT FOLDER RECORDS
 *
 *  Reads the value that the store has for a record's device, and puts the record's in its place.
 *  Prints a line "restored RECORDS SECONDS CPU-SECONDS" once all partitions are restored, and then, for
 *  RECORDS of input, "processed RECORDS SECONDS CPU-SECONDS"; then waits to be killed.
 */

import java.lang.management.ManagementFactory;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

public class Streams {
    static final AtomicLong processed = new AtomicLong();
    static final AtomicLong restored = new AtomicLong();
    static final AtomicLong restoring = new AtomicLong();
    static volatile long restoreBegun;
    static volatile long cpuRestoreBegun;
    static volatile long begun;
    static volatile long cpuBegun;

    static long cpu() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
            .getProcessCpuTime();
    }

    static class Put implements Processor<byte[], byte[], Void, Void> {
        final long records;
        KeyValueStore<byte[], byte[]> store;
        long bytes;

        Put(long records) {
            this.records = records;
        }

        public void init(ProcessorContext<Void, Void> context) {
            store = context.getStateStore("devices");
        }

        public void process(Record<byte[], byte[]> record) {
            if (begun == 0) {
                begun = System.nanoTime();
                cpuBegun = cpu();
            }
            byte[] before = store.get(record.key());
            bytes += before == null ? 0 : before.length;
            store.put(record.key(), record.value());
            if (processed.incrementAndGet() == records) {
                System.out.printf("processed %d %.3f %.3f%n", records,
                    (System.nanoTime() - begun) / 1e9, (cpu() - cpuBegun) / 1e9);
            }
        }
    }

    static class Restored implements StateRestoreListener {
        public synchronized void onRestoreStart(TopicPartition place, String store, long from, long to) {
            if (restoring.getAndIncrement() == 0 && restoreBegun == 0) {
                restoreBegun = System.nanoTime();
                cpuRestoreBegun = cpu();
            }
        }

        public void onBatchRestored(TopicPartition place, String store, long to, long records) {
            restored.addAndGet(records);
        }

        public synchronized void onRestoreEnd(TopicPartition place, String store, long records) {
            if (restoring.decrementAndGet() == 0) {
                System.out.printf("restored %d %.3f %.3f%n", restored.get(),
                    (System.nanoTime() - restoreBegun) / 1e9, (cpu() - cpuRestoreBegun) / 1e9);
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        long records = Long.parseLong(arguments[4]);
        Properties given = new Properties();
        given.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        given.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
        given.put(StreamsConfig.STATE_DIR_CONFIG, arguments[3]);
        given.put("consumer.auto.offset.reset", "earliest");
        given.put("producer.compression.type", "zstd");
        Topology topology = new Topology();
        var bytes = Serdes.ByteArray();
        topology.addSource("input", bytes.deserializer(), bytes.deserializer(), arguments[2]);
        topology.addProcessor("put", () -> new Put(records), "input");
        topology.addStateStore(Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore("devices"), bytes, bytes), "put");
        KafkaStreams streams = new KafkaStreams(topology, given);
        streams.setGlobalStateRestoreListener(new Restored());
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            System.exit(1);
            return null;
        });
        streams.start();
        Thread.sleep(Long.MAX_VALUE);
    }
}
