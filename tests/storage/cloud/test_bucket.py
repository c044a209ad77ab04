"""An object is whole or not there, whatever the network does; every failure is one line, in its time."""

import os
from pathlib import Path

import pytest

from storage.cloud.bucket import Bucket, BucketAway, BucketRefused, Overtaken, crc32c_of
from tests.cloud_emulator import CHUNK_BYTES, Cloud, Fault

NAME = "reliance/models/thing"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "thing"
    path.write_bytes(b"one two three")
    return path


def test_what_goes_up_comes_down(cloud: Cloud, file: Path, tmp_path: Path) -> None:
    cloud.bucket().put("thing", file)
    cloud.bucket().get("thing", tmp_path / "back", most_bytes=13)
    assert (tmp_path / "back").read_bytes() == b"one two three"
    assert cloud.objects() == {NAME: b"one two three"}
    (listed,) = cloud.bucket().listed("").values()
    assert (listed.size_bytes, listed.crc32c) == (13, crc32c_of(file))


def test_the_checksum_is_the_one_that_the_standard_gives(tmp_path: Path) -> None:
    (tmp_path / "vector").write_bytes(bytes(32))
    assert crc32c_of(tmp_path / "vector") == "ipE2qg=="  # RFC 3720, B.4: 8a 91 36 aa, in bytes of the word


def test_an_object_that_is_there_with_the_same_content_is_written_already(cloud: Cloud, file: Path) -> None:
    cloud.bucket().put("thing", file)
    cloud.bucket().put("thing", file)
    assert cloud.objects() == {NAME: b"one two three"}


def test_another_writer_is_not_undone(cloud: Cloud, file: Path, tmp_path: Path) -> None:
    cloud.bucket().put("thing", file)
    generation = cloud.bucket().read("thing", tmp_path / "seen", most_bytes=100)
    assert generation is not None
    cloud.write(NAME, b"another's")
    file.write_bytes(b"mine")
    for replaces in (0, generation):
        with pytest.raises(Overtaken, match="by another writer first"):
            cloud.bucket().put("thing", file, replaces=replaces)
    assert cloud.objects() == {NAME: b"another's"}
    cloud.bucket().remove("thing", generation=generation)
    assert f"ifGenerationMatch={generation}" in cloud.asked[-1]  # the emulator does not mind it where it removes


def test_an_answer_that_was_lost_is_no_failure_and_no_second_object(cloud: Cloud, file: Path) -> None:
    cloud.first("lost", of="POST /upload")
    cloud.bucket().put("thing", file)
    assert cloud.objects() == {NAME: b"one two three"}
    assert sum("POST /upload" in line for line in cloud.asked) == 2


@pytest.mark.parametrize("fault", ["503", "429", "dead"])
def test_what_passes_is_tried_again_by_itself(cloud: Cloud, file: Path, fault: Fault) -> None:
    cloud.first(fault, of="POST /upload")
    cloud.bucket().put("thing", file)
    assert cloud.objects() == {NAME: b"one two three"}


@pytest.mark.parametrize("fault", ["503", "silent", "dead"])
def test_a_bucket_that_stays_away_is_given_up_in_its_time(cloud: Cloud, file: Path, fault: Fault) -> None:
    cloud.judge = lambda *_: fault
    bucket = cloud.bucket(timeout_s=0.3)
    with pytest.raises(BucketAway, match="can't be reached") as said:
        bucket.put("thing", file)
    assert "\n" not in str(said.value)
    with pytest.raises(BucketAway):
        bucket.listed("")


def test_without_the_right_one_line_says_which_role_is_missing(cloud: Cloud, file: Path) -> None:
    cloud.judge = lambda *_: "403"
    with pytest.raises(BucketRefused, match="Storage Object Admin"):
        cloud.bucket().put("thing", file)
    with pytest.raises(BucketRefused, match="Storage Object Admin"):
        cloud.bucket().listed("")


def test_a_bucket_that_does_not_exist_is_named(cloud: Cloud, file: Path) -> None:
    cloud.name = "no-such-bucket"
    with pytest.raises(BucketRefused, match=r"bucket no-such-bucket has no such thing .* check cloud\.bucket"):
        cloud.bucket().put("thing", file)
    with pytest.raises(BucketRefused, match="bucket no-such-bucket has no such thing"):
        cloud.bucket().read("thing", file, most_bytes=100)


def test_an_object_larger_than_it_was_said_to_be_stops_in_the_middle(cloud: Cloud, tmp_path: Path) -> None:
    cloud.write(NAME, bytes(3_000_000))
    with pytest.raises(BucketRefused, match="larger than 1000 bytes"):
        cloud.bucket().get("thing", tmp_path / "back", most_bytes=1000)
    with pytest.raises(BucketRefused, match="larger than 1000 bytes"):
        cloud.bucket().read("thing", tmp_path / "back", most_bytes=1000)


@pytest.mark.parametrize("fault", ["half", "corrupt"])
def test_a_download_that_breaks_or_is_damaged_never_passes_for_the_object(
    cloud: Cloud, file: Path, tmp_path: Path, fault: Fault
) -> None:
    cloud.bucket().put("thing", file)
    cloud.judge = lambda _, path: fault if "alt=media" in path else None
    with pytest.raises(BucketAway):
        cloud.bucket(timeout_s=0.5).get("thing", tmp_path / "back", most_bytes=100)


def test_a_big_object_goes_up_in_chunks_and_one_that_breaks_off_is_sent_again(cloud: Cloud, tmp_path: Path) -> None:
    content = os.urandom(2 * CHUNK_BYTES + 5)
    (tmp_path / "big").write_bytes(content)
    cloud.first("cut", of="PUT")
    cloud.bucket().put("big", tmp_path / "big")
    assert cloud.read("reliance/models/big") == content
    assert sum(line.startswith("PUT") for line in cloud.asked) == 4


@pytest.mark.slow
def test_a_big_object_that_comes_out_wrong_does_not_stay_and_goes_up_again(cloud: Cloud, tmp_path: Path) -> None:
    content = os.urandom(2 * CHUNK_BYTES + 5)
    (tmp_path / "big").write_bytes(content)
    cloud.first("lost", of="PUT")  # which makes the emulator append that chunk twice, unlike Google
    with pytest.raises(BucketAway, match="checksum"):
        cloud.bucket().put("big", tmp_path / "big")
    assert cloud.objects() == {}
    cloud.bucket().put("big", tmp_path / "big")
    assert cloud.read("reliance/models/big") == content


def test_a_credential_that_is_none_is_one_line_without_its_content(cloud: Cloud, file: Path, tmp_path: Path) -> None:
    for content in ("s3cr3t-canary", '{"type": "service_account", "private_key": "s3cr3t-canary"}'):
        (tmp_path / "key.json").write_text(content)
        with pytest.raises(BucketRefused, match=r"cloud\.credentials .*key\.json is no usable credential") as said:
            Bucket("some-bucket", "p", tmp_path / "key.json").put("thing", file)
        assert "canary" not in str(said.value)
    with pytest.raises(BucketRefused, match=r"absent\.json is no usable credential"):
        Bucket("some-bucket", "p", tmp_path / "absent.json").put("thing", file)
