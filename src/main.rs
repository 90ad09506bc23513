//! The `forge` program.

/// Workspaces are read and looked at by many threads, which wait for each other in the allocators of glibc
/// and, far longer, of musl, which published programs for Linux are linked with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    forge::cli::main()
}
