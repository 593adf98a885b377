import pytest

from inspector.domain import masked_address


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:p@ss:w@10.0.0.5:554/s?channel=1&subtype=0", "rtsp://10.0.0.5:554/s?channel=1&subtype=0"),
        ("http://10.0.0.5/v?user=admin&pwd=secret&c=1", "http://10.0.0.5/v?user=***&pwd=***&c=1"),
        ("rtsp://admin:p/w@10.0.0.5/s", "rtsp://10.0.0.5/s"),
        ("rtsp://admin:12/3@10.0.0.5/s", "rtsp://10.0.0.5/s"),
        ("rtsp://admin:p?w#x@10.0.0.5/s", "rtsp://10.0.0.5/s"),
        ("rtsp://10.0.0.5:554/user=admin_password=tlJ_channel=1.sdp?real_stream", "rtsp://10.0.0.5:554/user=***"),
        ("https://h/v?access_token=abc;x=1", "https://h/v?access_token=***;x=1"),
        ("RTSP://u:p@[fe80::1]:80/a", "RTSP://[fe80::1]:80/a"),
        ("http://10.0.0.5:8080/v?mail=a@b", "http://10.0.0.5:8080/v?mail=a@b"),
        ("http://[fe80::1]:80/a@b", "http://[fe80::1]:80/a@b"),
        ("http://host/v@2", "http://host/v@2"),
        ("camera:0", "camera:0"),
        ("watch:C:/images", "watch:C:/images"),
        ("rtsp://u:p@a/s and rtsp://v:q@b/s: lost", "rtsp://a/s and rtsp://b/s: lost"),
    ],
)
def test_what_is_shown_holds_no_secret(address, shown):
    assert masked_address(address) == shown
