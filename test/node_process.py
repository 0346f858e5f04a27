"""The tracker node as its console script starts it, with the test trackers in the registry."""
from node_harness import register_test_trackers

from tracking_nodes.nodes.tracker_node import main

if __name__ == '__main__':
    register_test_trackers()
    main()
