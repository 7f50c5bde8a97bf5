"""Simulated cameras: real on the wire, used by the demonstration, by training and by the tests.

| module | holds |
| --- | --- |
| `spec`, `places`, `department` | which cameras, where, with which faults |
| `film`, `reel` | an MP4 mapped once, planned once for the network, and its endless loop in phase with the clock |
| `device`, `ptz`, `events` | the state of one camera, without a socket |
| `onvif/`, `http`, `digest` | the ONVIF services, their web server, who may call |
| `discovery` | WS-Discovery for all cameras of the process |
| `rtsp_server`, `session_description`, `playback`, `wheel` | the streams: one timer, one write a frame |
| `camera`, `fleet` | a camera that listens; all of them as the body of a process |

One process carries hundreds of cameras: films, packet plans, timer and discovery sockets are shared, and what belongs
to one camera is its state and its listening sockets.
"""
