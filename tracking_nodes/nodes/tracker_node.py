"""The tracker node: camera in, tracked box out, as a ROS 2 lifecycle node."""
import os
import signal
import sys

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool, Trigger

from tracking_nodes.errors import SettingError, TrackingError
from tracking_nodes.nn.device import release_memory, resolve_device, set_threads
from tracking_nodes.nn.gpu_memory import advice, is_out_of_memory
from tracking_nodes.nodes.diagnostics import diagnostic_array, tracker_values
from tracking_nodes.nodes.health import Health
from tracking_nodes.nodes.image_input import ImageInput
from tracking_nodes.nodes.outputs import Outputs
from tracking_nodes.nodes.parameters import declare, NodeSettings, read, refuse_frozen
from tracking_nodes.nodes.requests import Forget
from tracking_nodes.nodes.start_inputs import StartInputs
from tracking_nodes.nodes.target import Target
from tracking_nodes.nodes.worker import Worker
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime

# Together with leaving rclpy this stays within the two seconds a supervisor waits.
_SHUTDOWN_WAIT = 1.0
_PAUSE_WAIT = 10.0
_SPIN = 0.1


class TrackerNode(LifecycleNode):
    """
    Tracks one target, or several, in the images of one camera.

    configure: check parameters, load the tracker and warm it up. activate: subscribe and answer.
    deactivate: pause; the target is kept. cleanup: free everything, also on the GPU.
    """

    def __init__(self, name='tracker', **options):
        """
        Declare the parameters.

        :param name: of the node.
        :param options: of rclpy's Node.
        :raises SettingError: a parameter given at the start is not allowed.
        """
        super().__init__(name, **options)
        self._health = Health(self.get_logger())
        self._device = self._outputs = self._worker = self._images = self._starts = None
        declare(self, NodeSettings, reconfigurable=True)
        self.settings = read(self, NodeSettings)
        self._declare_tracker()
        self.add_on_set_parameters_callback(self._set_parameters)
        self.create_service(Trigger, '~/reset', self._reset)
        self.create_service(Trigger, '~/stop', self._stop)
        self.create_service(SetBool, '~/set_learning', self._set_learning)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # On a steady clock: the node reports while simulated time stands still.
        self.create_timer(self.settings.diagnostics_period, self._diagnose,
                          clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def lifecycle(self):
        """Return the label of the lifecycle state."""
        if self._worker is None:
            return 'unconfigured'
        return 'inactive' if self._starts is None else 'active'

    def start_if_asked(self):
        """Configure and activate at once where the parameter `autostart` says so."""
        if not self.settings.autostart:
            return
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def release(self, wait):
        """
        Stop the worker and forget the tracker.

        :param wait: seconds to wait for the frame at hand.
        :return: whether the worker has ended.
        """
        ended = self._pause(wait)
        if self._outputs is not None:
            self._outputs.close()
        self._outputs = self._worker = None
        if self._device is not None:
            release_memory(self._device)
        return ended

    def on_configure(self, state):
        """Check the parameters, load the tracker and run it once on noise."""
        try:
            self.settings = read(self, NodeSettings)
            first, *others = (Target(tracker, self.settings.thresholds)
                              for tracker in self._make_trackers(self.settings))
            self._outputs = Outputs(self, self._health, several=bool(others))
            self._worker = Worker(first, self._outputs, self._health, self.settings, self._now,
                                  others)
        except Exception as error:
            # rclpy would drop the words of an exception; whatever it is, they have to be read.
            self._health.fault('configure', f'{type(error).__name__}: {error}; the node stays '
                               f'unconfigured: {self._remedy(error)} and configure it again')
        else:
            self.get_logger().info(f'{self.settings.tracker} is ready on {self._device}')
            return super().on_configure(state)
        # Outside of the handler: the traceback would keep the tensors alive.
        self.release(0.0)
        self._device = None
        return TransitionCallbackReturn.FAILURE

    def _remedy(self, error):
        if not is_out_of_memory(error):
            return 'set the parameter right'
        name = self.settings.tracker
        settings_class = registry.tracker_class(name).settings_class
        return advice(name, read(self, settings_class, f'{name}.'))

    def on_activate(self, state):
        """Subscribe and answer images."""
        result = super().on_activate(state)
        try:
            self._images = ImageInput(self, self.settings, self._health)
            self._starts = StartInputs(self, self._images, self._worker, self._health)
        except Exception as error:
            self._health.fault('activate', f'{type(error).__name__}: {error}; the node goes back '
                               'to unconfigured: set the parameter right, configure it again')
            return TransitionCallbackReturn.ERROR
        self._outputs.announce(self.settings.tracker)
        self._outputs.publish_state(self._worker.state)
        if not self._worker.target_given:
            self._starts.start_on(self.settings.init_box)
        self._worker.start(self._images)
        return result

    def on_deactivate(self, state):
        """Unsubscribe and pause; the target and what was learned of it are kept."""
        if not self._pause(_PAUSE_WAIT):
            self._health.fault('tracker_error', f'the tracker did not finish its frame within '
                               f'{_PAUSE_WAIT:g} s; the node goes back to unconfigured')
            return TransitionCallbackReturn.ERROR
        return super().on_deactivate(state)

    def on_cleanup(self, state):
        """Forget the tracker and free its memory."""
        self.release(_PAUSE_WAIT)
        return super().on_cleanup(state)

    def on_shutdown(self, state):
        """Stop for good."""
        self.release(_SHUTDOWN_WAIT)
        return super().on_shutdown(state)

    def on_error(self, state):
        """Go back to unconfigured with nothing left."""
        self.release(_SHUTDOWN_WAIT)
        return super().on_error(state)

    def _pause(self, wait):
        for part in (self._starts, self._images):
            if part is not None:
                part.close()
        self._starts = self._images = None
        return self._worker is None or self._worker.stop(wait)

    def _declare_tracker(self):
        """Declare the parameters of the chosen tracker; an unknown one is said by configure."""
        name = self.get_parameter('tracker').value
        if name in registry.names():
            cls = registry.tracker_class(name).settings_class
            declare(self, cls, f'{name}.', reconfigurable=True)

    def _make_trackers(self, settings):
        """Return the tracker of the target without an id, then those of the targets with one."""
        self._declare_tracker()
        set_threads(settings.threads)
        self._device = resolve_device(settings.device)
        half = settings.half and self._device.type == 'cuda'
        if settings.half and not half:
            self.get_logger().warning('half precision needs a GPU: float32 on the CPU')
        cls = registry.tracker_class(settings.tracker)
        values = read(self, cls.settings_class, f'{settings.tracker}.').as_dict()
        runtime = Runtime(str(self._device), half, settings.seed, settings.models,
                          settings.learning, settings.graphs)
        # The target without an id is one of the max_targets only where it is given.
        count = 1 if settings.max_targets == 1 else 1 + settings.max_targets
        trackers = [registry.create(settings.tracker, values, runtime) for _ in range(count)]
        trackers[0].warm_up()
        return trackers

    def _set_parameters(self, parameters):
        """Check changed parameters and let those that may change live count at once."""
        changes = {parameter.name: parameter.value for parameter in parameters
                   if self.has_parameter(parameter.name)}
        try:
            settings = read(self, NodeSettings, '', changes)
            registry.summary(settings.tracker)
            tracker_settings = self._checked_tracker_settings(changes)
            if self._worker is not None:
                refuse_frozen(NodeSettings, changes)
        except SettingError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.settings = settings
        if self._worker is not None:
            self._worker.settings = settings
            self._worker.tracker_settings = tracker_settings or self._worker.tracker_settings
        if self._starts is not None and 'init_box' in changes:
            self._starts.start_on(settings.init_box)
        return SetParametersResult(successful=True)

    def _checked_tracker_settings(self, changes):
        """Return the running tracker's settings after the changes, or None if not concerned."""
        concerned = None
        for name in registry.names():
            prefix = f'{name}.'
            if not any(changed.startswith(prefix) for changed in changes):
                continue
            cls = registry.tracker_class(name).settings_class
            settings = read(self, cls, prefix, changes)
            if self._worker is not None and name == self.settings.tracker:
                refuse_frozen(cls, changes, prefix)
                concerned = settings
        return concerned

    def _reset(self, request, response):
        """Forget all targets and wait for the next one, `init_box` and candidates included."""
        return self._forget(Forget.RESET, response)

    def _stop(self, request, response):
        """Forget all targets and stay idle until one is given by hand or by `~/reset`."""
        return self._forget(Forget.STOP, response)

    def _forget(self, how, response):
        response.success = self._starts is not None
        response.message = 'no target from the next image on'
        if not response.success:
            response.message = 'the node is not active; activate it first'
            return response
        self._worker.requests.forget(how)
        self._worker.named.forget(how)
        if how is Forget.RESET:
            self._starts.start_on(self.settings.init_box)
        return response

    def _set_learning(self, request, response):
        """Freeze (false) or resume (true) the online update."""
        response.success = self._worker is not None
        response.message = 'the node is not configured; configure it first'
        if response.success:
            self._worker.learning = request.data
            response.message = 'learning' if request.data else 'frozen'
        return response

    def _now(self):
        clock = self.get_clock()
        return clock.now().nanoseconds, clock.ros_time_is_active

    def _diagnose(self):
        topic = self._images.topic if self._images is not None else ''
        self._diagnostics.publish(diagnostic_array(
            self.get_fully_qualified_name(), self.get_clock().now().to_msg(),
            self.lifecycle, self._health, self._worker,
            tracker_values(self.settings, self._device, topic)))


def main(args=None):
    """Run the node until Ctrl-C or SIGTERM; both end it in order and within two seconds."""
    # rclpy's own handlers take the context away before the node could say goodbye.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    executor = SingleThreadedExecutor()
    node, status = None, 0
    try:
        node = TrackerNode()
        executor.add_node(node)
        node.start_if_asked()
        while rclpy.ok():
            executor.spin_once(timeout_sec=_SPIN)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except (TrackingError, ParameterException) as error:
        get_logger('tracker').fatal(f'{type(error).__name__}: {error}')
        status = 1
    executor.shutdown()
    if node is not None:
        node.release(_SHUTDOWN_WAIT)
        node.destroy_node()
    rclpy.try_shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # All is closed. Python itself would wait for a tracker deep in a frame, which cannot be
    # interrupted, and take more than a second to unload PyTorch.
    os._exit(status)


if __name__ == '__main__':
    main()
