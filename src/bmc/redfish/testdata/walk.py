"""Drives a BMC with sushy, OpenStack's client: walk.py URL USER PASSWORD CA AUTH [BOOT_MODE] [skip-media]

Power, boot device and virtual media, each looked at afterwards. Prints what it did; ends with a traceback at the first
thing that is not so.
"""
import sys

import sushy
from sushy import auth

url, user, password, ca, way = sys.argv[1:6]
options = sys.argv[6:]
ways = {'basic': auth.BasicAuth, 'session': auth.SessionAuth, 'auto': auth.SessionOrBasicAuth}
root = sushy.Sushy(url, verify=ca, auth=ways[way](username=user, password=password))
system = root.get_system()


def expect(what, got, want):
    assert got == want, '%s is %r; want %r' % (what, got, want)
    print(what, got)


def boot(target, enabled, want_target=None):
    mode = sushy.BOOT_SOURCE_MODE_UEFI if 'mode' in options else None
    system.set_system_boot_options(target, enabled=enabled, mode=mode)
    system.refresh(force=True)
    expect('boot target', system.boot['target'], want_target or target)
    expect('boot enabled', system.boot['enabled'], enabled)


def power(reset, want):
    system.reset_system(reset)
    system.refresh(force=True)
    expect('power', system.power_state, want)


boot(sushy.BOOT_SOURCE_TARGET_PXE, sushy.BOOT_SOURCE_ENABLED_ONCE)
power(sushy.RESET_ON, sushy.SYSTEM_POWER_STATE_ON)
expect('boot once', system.boot['enabled'], sushy.BOOT_SOURCE_ENABLED_DISABLED)
if 'once' not in options:
    boot(sushy.BOOT_SOURCE_TARGET_HDD, sushy.BOOT_SOURCE_ENABLED_CONTINUOUS)
power(sushy.RESET_FORCE_RESTART, sushy.SYSTEM_POWER_STATE_ON)
power(sushy.RESET_FORCE_OFF, sushy.SYSTEM_POWER_STATE_OFF)

if 'skip-media' not in options:
    kinds = {sushy.VIRTUAL_MEDIA_CD, sushy.VIRTUAL_MEDIA_DVD}
    slots = [m for m in system.managers[0].virtual_media.get_members() if kinds & set(m.media_types)]
    for number, medium in enumerate(slots):
        try:
            try:
                medium.insert_media('http://192.0.2.1/boot.iso')
            except sushy.exceptions.ServerSideError:  # an iDRAC that still ejects; Ironic asks again, too
                medium.insert_media('http://192.0.2.1/boot.iso')
        except sushy.exceptions.HTTPError as refusal:
            assert number + 1 < len(slots), 'no slot takes the image: %s' % refusal
            continue
        medium.refresh(force=True)
        expect('inserted', medium.inserted, True)
        expect('image', medium.image, 'http://192.0.2.1/boot.iso')
        medium.eject_media()
        medium.refresh(force=True)
        expect('inserted', medium.inserted, False)
        break

expect('memory', system.memory_summary.size_gib, 64)
expect('processors', system.processors.summary.count > 0, True)
if 'skip-nics' not in options:
    expect('nics', sorted(system.ethernet_interfaces.summary), ['52:54:00:00:00:01', '52:54:00:00:00:02'])
if way == 'session':
    root._auth.close()
