//! The hash behind everything sticky.

use twox_hash::XxHash64;

/// XXH64 of some bytes: the same in every process, release and language.
///
/// Percentages and consistent hashing decide by it, so that two processes agree without talking. It is no defence against
/// who chooses the bytes. [Specification](https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).
///
/// ```
/// assert_eq!(rpc_core::matcher::hash64(b"", 0), 0xef46_db37_51d8_e999);
/// ```
pub fn hash64(bytes: &[u8], seed: u64) -> u64 {
    XxHash64::oneshot(seed, bytes)
}
