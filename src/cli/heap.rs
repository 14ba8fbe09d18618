//! What meow has freed goes back to the machine, which the steps of an execution need it for.

/// From this size on, in bytes, memory is asked of the kernel by itself and goes back when it is freed: what glibc starts
/// from.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ALONE: libc::c_int = 128 << 10;

/// Keeps the allocator from raising that size, once at the start.
///
/// With every larger table that is freed glibc raises it up to 32 MiB, and then keeps what is freed between two smaller
/// things: columns that have grown, or what 10,000 steps were planned with; up to a quarter of all memory. Programs that
/// free and take large tables again and again are slower for it; reading and planning are not.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "there is no other way to tell the allocator")]
        // SAFETY: it takes two numbers, and locks what it changes.
        let _ = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, ALONE) };
    }
}

/// Gives back what was freed between things that stay.
pub(super) fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "there is no other way to tell the allocator")]
        // SAFETY: it takes a number, and only gives up pages that nothing lies in.
        let _ = unsafe { libc::malloc_trim(0) };
    }
}
