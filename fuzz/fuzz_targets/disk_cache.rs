//! The list of instances that a client keeps on disk.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rpc_registry::fuzzing::disk_cache(input));
