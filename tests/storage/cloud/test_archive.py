"""An archive gives back what was packed, and nothing that somebody else packed gets out of its folder."""

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.cloud.archive import MOST_FILES, BadArchive, pack, unpack

FILES = {"weights.npz": b"\x00\x01" * 500, "member.json": b"{}", "inner/history.csv": b"epoch,loss\n"}
Members = Callable[[tarfile.TarFile], None]


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return write(tmp_path / "here" / "abc", FILES)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def plain(name: str, content: bytes = b"x") -> Members:
    def add(tar: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))

    return add


def special(name: str, kind: bytes, target: str = "") -> Members:
    def add(tar: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        tar.addfile(member)

    return add


def archive(path: Path, *members: Members) -> Path:
    with tarfile.open(path, "w") as tar:
        for add in members:
            add(tar)
    return path


def test_a_folder_and_a_file_come_back_as_they_were(part: Path, tmp_path: Path) -> None:
    pack(part, tmp_path / "folder.tar")
    unpack(tmp_path / "folder.tar", tmp_path / "there", name="abc")
    assert read(tmp_path / "there" / "abc") == FILES
    pack(part / "weights.npz", tmp_path / "file.tar")
    unpack(tmp_path / "file.tar", tmp_path / "alone", name="weights.npz")
    assert read(tmp_path / "alone") == {"weights.npz": FILES["weights.npz"]}


def test_equal_contents_are_equal_bytes_whenever_and_by_whomever_they_were_written(part: Path, tmp_path: Path) -> None:
    pack(part, tmp_path / "one.tar")
    again = write(tmp_path / "elsewhere" / "abc", dict(reversed(FILES.items())))
    os.utime(again / "member.json", (1, 1))
    (again / "member.json").chmod(0o644)
    pack(again, tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_a_link_is_not_packed(part: Path, tmp_path: Path) -> None:
    (part / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(BadArchive, match="no plain file"):
        pack(part, tmp_path / "folder.tar")


HOSTILE = {
    "out of the folder": [plain("abc/../../evil")],
    "beside the folder": [plain("../evil")],
    "from the root": [plain("/tmp/evil")],
    "another piece": [plain("abc/x"), plain("abd/x")],
    "a longer name": [plain("abcd")],
    "hidden": [plain("abc/.ssh")],
    "a name with a line break": [plain("abc/x\ny")],
    "an empty part of a name": [plain("abc//x")],
    "deep": [plain("abc/1/2/3/4/5")],
    "twice": [plain("abc/x"), plain("abc/x", b"y")],
    "a file that is a folder": [plain("abc"), plain("abc/x")],
    "a link out": [special("abc/x", tarfile.SYMTYPE, "/etc/passwd")],
    "a link in": [special("abc", tarfile.SYMTYPE, "/etc")],
    "a hard link": [special("abc/x", tarfile.LNKTYPE, "abc/y")],
    "a device": [special("abc/x", tarfile.CHRTYPE)],
    "a pipe": [special("abc/x", tarfile.FIFOTYPE)],
    "a folder": [special("abc", tarfile.DIRTYPE)],
    "sparse": [special("abc/x", tarfile.GNUTYPE_SPARSE)],
    "nothing": [],
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE)
def test_what_this_program_would_not_pack_is_refused_and_nothing_gets_out(
    members: list[Members], tmp_path: Path
) -> None:
    hostile = archive(tmp_path / "hostile.tar", *members)
    inner = tmp_path / "in" / "to"
    with pytest.raises(BadArchive, match="refused"):
        unpack(hostile, inner, name="abc")
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(inner)]
    assert outside == [hostile]
    assert not Path("/tmp/evil").exists()


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    hostile = archive(tmp_path / "hostile.tar", *(plain(f"abc/{number}", b"") for number in range(MOST_FILES + 1)))
    with pytest.raises(BadArchive, match=f"over {MOST_FILES}"):
        unpack(hostile, tmp_path / "there", name="abc")


def test_a_file_that_claims_to_be_larger_than_the_archive_is_refused(part: Path, tmp_path: Path) -> None:
    pack(part, tmp_path / "folder.tar")
    content = bytearray((tmp_path / "folder.tar").read_bytes())
    member = tarfile.TarInfo("abc/member.json")
    member.size = 1 << 40
    header = member.tobuf(tarfile.USTAR_FORMAT) if member.size < 8**11 else member.tobuf(tarfile.GNU_FORMAT)
    content[:512] = header[:512]
    (tmp_path / "folder.tar").write_bytes(content)
    with pytest.raises(BadArchive, match="larger than itself"):
        unpack(tmp_path / "folder.tar", tmp_path / "there", name="abc")


@settings(max_examples=40)
@given(cut=st.floats(0, 1, exclude_max=True), junk=st.binary(max_size=40))
def test_an_archive_cut_short_or_overwritten_is_refused_or_whole(
    cut: float, junk: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    pack(write(folder / "here" / "abc", FILES), folder / "whole.tar")
    whole = (folder / "whole.tar").read_bytes()
    at = int(cut * len(whole))
    (folder / "cut.tar").write_bytes(whole[:at] + junk)
    try:
        unpack(folder / "cut.tar", folder / "there", name="abc")
    except BadArchive:
        return
    unpacked = read(folder / "there" / "abc")
    assert unpacked.items() <= FILES.items() or junk  # a digest, not the archive, vouches for what is in it


def test_a_compressed_archive_is_none_of_this_program(part: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "folder.tar", "w:gz") as tar:
        tar.add(part, "abc")
    with pytest.raises(BadArchive, match="can't be unpacked"):
        unpack(tmp_path / "folder.tar", tmp_path / "there", name="abc")
