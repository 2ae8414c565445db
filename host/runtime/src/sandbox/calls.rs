//! seccomp: which system calls the host still has.
//!
//! A list of what it needs, not of what it must not have: a new kernel's calls
//! are then absent by themselves, as are those of other calling conventions.
//! What is not on the list fails as on a kernel that does not know it, `ENOSYS`:
//! the C library has another way then, whichever of its releases this runs with.
//!
//! Some are left only in part. Memory is writable or executable, never both at a
//! time, and no memory is mapped twice, once as each: that is all that compiled code
//! needs. (A private mapping of a file still shows what `write` puts there, until it
//! is written to itself. No filter can tell such a mapping as it is made executable.)
//! Limits can be read, not set. Threads can be made, processes
//! cannot. Sockets are Unix's. Signals go to this process only. Nothing can be
//! typed into a terminal.

use libc::c_long;
use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{Eq, MaskedEq, Ne};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use std::collections::BTreeMap;

/// Every architecture has these.
const EVERYWHERE: &[c_long] = &[
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_memfd_create,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Files.
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_pipe2,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    libc::SYS_write,
    libc::SYS_writev,
    // Waiting.
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_gettimeofday,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_rm_watch,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_restart_syscall,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    // Sockets: to be reached, and those that are connected already. Without `connect`
    // nobody else's are, who may start processes for whoever asks.
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    // Threads and signals.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    // What it is and has.
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_sysinfo,
    libc::SYS_uname,
];

/// Older names of calls above, which its C libraries use.
#[cfg(target_arch = "x86_64")]
const HERE: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_chmod,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_getrlimit,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_symlink,
    libc::SYS_time,
    libc::SYS_unlink,
];

#[cfg(not(target_arch = "x86_64"))]
const HERE: &[c_long] = &[];

/// The bits of a mapping's flags that say whose what is written to it is.
const MAP_TYPE: u64 = 0xf;

/// What the kernel told this process at its start.
const PR_GET_AUXV: u64 = 0x4155_5856;

/// Leaves this thread, and those that it will start, the calls of the list.
pub(super) fn restrict() -> Result<String, String> {
    let program = program().map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| match error {
        seccompiler::Error::Prctl(cause) | seccompiler::Error::Seccomp(cause) => {
            format!("this kernel refuses it ({cause})")
        }
        other => other.to_string(),
    })?;
    Ok("on".to_owned())
}

fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    let here = TargetArch::try_from(std::env::consts::ARCH)?;
    let whole = EVERYWHERE.iter().chain(HERE);
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        whole.map(|&call| (call, Vec::new())).collect();
    rules.extend(in_part()?);
    let (others, listed) = (
        SeccompAction::Errno(libc::ENOSYS.cast_unsigned()),
        SeccompAction::Allow,
    );
    SeccompFilter::new(rules, others, listed, here)?.try_into()
}

/// What types into a terminal. `libc` has them in a type that differs by C library.
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541c;

/// A condition on one argument of a call.
type Condition = (u8, SeccompCmpOp, u64);

/// Calls that are left where one of the lines holds, with all its conditions.
fn in_part() -> Result<Vec<(c_long, Vec<SeccompRule>)>, seccompiler::BackendError> {
    let bits = |value: i32| u64::from(value.cast_unsigned());
    let (write, exec) = (bits(libc::PROT_WRITE), bits(libc::PROT_EXEC));
    let not_both: [&[Condition]; 2] = [&[(2, MaskedEq(write), 0)], &[(2, MaskedEq(exec), 0)]];
    // Nor by a second mapping of the same memory: what is shared, `mremap` can double.
    let private = (3, MaskedEq(MAP_TYPE), bits(libc::MAP_PRIVATE));
    let [write_only, exec_only] = not_both.map(|line| [line[0].clone(), private.clone()]);
    let mapped: [&[Condition]; 2] = [&write_only, &exec_only];
    let thread = bits(libc::CLONE_THREAD);
    let unix: [&[Condition]; 1] = [&[(0, Eq, bits(libc::AF_UNIX))]];
    let own = u64::from(std::process::id());
    let in_part = [
        (libc::SYS_mmap, &mapped[..]),
        (libc::SYS_mprotect, &not_both[..]),
        // `clone3` keeps its flags where a filter cannot look.
        (libc::SYS_clone, &[&[(0, MaskedEq(thread), thread)]]),
        (libc::SYS_socket, &unix),
        (libc::SYS_socketpair, &unix),
        (libc::SYS_tgkill, &[&[(0, Eq, own)]]),
        (
            libc::SYS_prctl,
            &[
                &[(0, Eq, bits(libc::PR_SET_NAME))],
                &[(0, Eq, bits(libc::PR_SET_VMA))],
                &[(0, Eq, PR_GET_AUXV)],
            ],
        ),
        (libc::SYS_ioctl, &[&[(1, Ne, TIOCSTI), (1, Ne, TIOCLINUX)]]),
    ];
    // A pointer to a new limit that is null, in all its bits.
    let reads = SeccompRule::new(vec![SeccompCondition::new(2, Qword, Eq, 0)?])?;
    in_part
        .into_iter()
        .map(|(call, lines)| Ok((call, lines.iter().map(rule).collect::<Result<_, _>>()?)))
        .chain([Ok((libc::SYS_prlimit64, vec![reads]))])
        .collect()
}

fn rule(line: &&[Condition]) -> Result<SeccompRule, seccompiler::BackendError> {
    let conditions = line
        .iter()
        .map(|(argument, operator, value)| {
            SeccompCondition::new(*argument, Dword, operator.clone(), *value)
        })
        .collect::<Result<_, _>>()?;
    SeccompRule::new(conditions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_can_be_built_and_fits_into_the_kernel() {
        let length = program().unwrap().len();
        // The kernel takes 4096 instructions.
        assert!((100..4096).contains(&length), "{length}");
    }

    #[test]
    fn what_a_driver_host_never_needs_is_not_on_the_list() {
        let partial = in_part().unwrap();
        let listed = |call| EVERYWHERE.contains(&call) || HERE.contains(&call);
        for call in [
            libc::SYS_bpf,
            libc::SYS_clone3,
            libc::SYS_connect,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_kexec_load,
            libc::SYS_kill,
            libc::SYS_mount,
            libc::SYS_perf_event_open,
            libc::SYS_process_vm_writev,
            libc::SYS_ptrace,
            libc::SYS_reboot,
            libc::SYS_setns,
            libc::SYS_setuid,
            libc::SYS_unshare,
            libc::SYS_userfaultfd,
            425, // `io_uring_setup`
        ] {
            assert!(!listed(call), "{call}");
        }
        // A rule of its own would be lost behind the whole call.
        assert!(partial.iter().all(|(call, _)| !listed(*call)));
    }
}
