//! What an execution has freed goes back to the machine, which its steps need it for.

/// From this size on, in bytes, memory is asked of the kernel by itself and goes back when it is freed: what glibc starts
/// from.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ALONE: libc::c_int = 128 << 10;

/// Keeps the allocator from raising that size.
///
/// With every larger table that is freed glibc raises it up to 32 MiB, and then keeps what is freed between two smaller
/// things: of 10,000 steps planned with a history that was a sixth of all memory. Programs that free and take large tables
/// again and again are slower for it; an execution plans once.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "there is no other way to tell the allocator")]
        // SAFETY: it takes two numbers, and locks what it changes.
        let _ = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, ALONE) };
    }
}

/// Gives back what planning freed between things that stay.
pub(super) fn planned() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "there is no other way to tell the allocator")]
        // SAFETY: it takes a number, and only gives up pages that nothing lies in.
        let _ = unsafe { libc::malloc_trim(0) };
    }
}
