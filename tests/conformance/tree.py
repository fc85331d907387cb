"""What the processes of a container see of its image: every entry of the root file system, without what is mounted over it, as lines
that can be compared. listing(PID) gives {path: facts}."""
import ctypes
import hashlib
import os
import stat
import sys
import time

CLONE_NEWNS = 0x20000
OPEN_TREE_CLONE, OPEN_TREE = 1, 428
AT_FDCWD = -100
# Made by the engines themselves: what they mount things over, and what they leave in a root.
ENGINE_MADE = {b".probe", b".probe/busybox", b"dev", b"dev/console", b"dev/pts", b"dev/shm", b"dev/mqueue", b"proc", b"sys", b"etc/hosts",
               b"etc/hostname", b"etc/resolv.conf", b"etc/mtab", b".dockerenv", b"run", b"run/.containerenv", b"run/secrets"}
BEGUN = time.time_ns()
# Directories whose time such an entry changed.
TOUCHED = {b".", b"etc", b"run", b"dev"}


def enter_root(pid):
    """Makes the container's root file system, and nothing mounted below it, this process's working directory."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/proc/{pid}/ns/mnt") as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    root = libc.syscall(OPEN_TREE, AT_FDCWD, b"/", OPEN_TREE_CLONE)
    if root < 0:
        raise OSError(ctypes.get_errno(), "open_tree")
    os.fchdir(root)
    os.close(root)


def facts_of(path, first_of, whole_seconds):
    status = os.lstat(path)
    kind = stat.S_IFMT(status.st_mode)
    mtime = status.st_mtime_ns
    # A directory that no entry names has the time of its making, which is not the same in two engines.
    if kind == stat.S_IFDIR and BEGUN <= mtime < time.time_ns():
        mtime = "now"
    elif whole_seconds:
        mtime = mtime // 10**9 * 10**9
    facts = {"mode": oct(status.st_mode), "owner": f"{status.st_uid}:{status.st_gid}",
             "mtime": mtime}
    if kind == stat.S_IFREG:
        with open(path, "rb") as file:
            facts["content"] = f"{status.st_size} {hashlib.file_digest(file, 'sha256').hexdigest()}"
    elif kind == stat.S_IFLNK:
        facts["target"] = os.fsencode(os.readlink(path)).decode("latin-1")
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        facts["device"] = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    if kind != stat.S_IFDIR:
        facts["links"] = status.st_nlink
        facts["same as"] = first_of.setdefault((status.st_dev, status.st_ino), path).decode("latin-1")
    for name in os.listxattr(path, follow_symlinks=False):
        facts["xattr " + name] = os.getxattr(path, name, follow_symlinks=False).hex()
    return facts


def walk(whole_seconds):
    found, first_of, waiting = {}, {}, [b"."]
    while waiting:
        directory = waiting.pop()
        found[directory] = facts_of(directory, first_of, whole_seconds)
        for name in sorted(os.listdir(directory)):
            path = name if directory == b"." else directory + b"/" + name
            if path in ENGINE_MADE:
                continue
            if stat.S_ISDIR(os.lstat(path).st_mode):
                waiting.append(path)
            else:
                found[path] = facts_of(path, first_of, whole_seconds)
    for path in TOUCHED & found.keys():
        del found[path]["mtime"]
    return found


def listing(pid, whole_seconds=False):
    """Read by a child, which does not come back from the container. With whole_seconds times are cut off, as Docker's own tars do."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            out = os.fdopen(writer, "wb")  # in there Python finds no modules
            enter_root(pid)
            with out:
                out.write(ascii(walk(whole_seconds)).encode())
            code = 0
        except Exception as error:
            print(f"# {error!r}", file=sys.stderr)
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, encoding="ascii", errors="strict") as text:
        answer = text.read()
    if os.waitpid(child, 0)[1] != 0:
        raise RuntimeError(f"the root of process {pid} could not be read")
    return eval(answer, {"__builtins__": {}})  # what walk() made, and ascii() wrote


def differences(ours, theirs):
    """A sentence for each entry that is not the same in both, with what differs."""
    lines = []
    for path in sorted(ours.keys() | theirs.keys()):
        name = repr(path)[1:]
        if path not in theirs:
            lines.append(f"{name}: only here")
        elif path not in ours:
            lines.append(f"{name}: only there")
        else:
            a, b = ours[path], theirs[path]
            lines += [f"{name}: {key} is {a.get(key)} here, {b.get(key)} there" for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)]
    return lines
