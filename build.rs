//! Links meow at a fixed address on Linux.
//!
//! It holds some 50,000 addresses (methods, texts, tables). A program that may lie anywhere has them written by the dynamic
//! linker at every start, page by page, which took longer than all that `meow --version` or an idle hook does. What is
//! given up is that the program's own code lies at a random place; libraries, stack and heap still do.
#![expect(clippy::disallowed_methods, reason = "what cargo tells a build script is in the environment")]

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
