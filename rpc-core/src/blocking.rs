//! For callers without a runtime.
