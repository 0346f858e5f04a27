"""Quality of service by name, and a mismatch said in words instead of silence."""
from rclpy.qos import (
    DurabilityPolicy, HistoryPolicy, qos_policy_name_from_kind, qos_profile_sensor_data,
    qos_profile_system_default, QoSPolicyKind, QoSProfile, ReliabilityPolicy)
from rclpy.qos_overriding_options import QoSOverridingOptions

try:
    from rclpy.event_handler import (
        PublisherEventCallbacks, SubscriptionEventCallbacks, UnsupportedEventTypeError)
except ImportError:  # Humble
    from rclpy.qos_event import (
        PublisherEventCallbacks, SubscriptionEventCallbacks, UnsupportedEventTypeError)

RELIABLE = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5,
                      reliability=ReliabilityPolicy.RELIABLE)
# For those who must not miss a message, however late they are.
RELIABLE_ALL = QoSProfile(history=HistoryPolicy.KEEP_ALL, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1,
                     reliability=ReliabilityPolicy.RELIABLE,
                     durability=DurabilityPolicy.TRANSIENT_LOCAL)
SENSOR_DATA = qos_profile_sensor_data
PROFILES = {
    'sensor_data': SENSOR_DATA, 'reliable': RELIABLE,
    'system_default': qos_profile_system_default}

_OVERRIDABLE = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY,
                QoSPolicyKind.DURABILITY)


def overridable():
    """Return the options by which `qos_overrides.<topic>...` parameters change a profile."""
    return QoSOverridingOptions(_OVERRIDABLE)


def copy(profile):
    """Return a profile of the same values; rclpy writes overrides into the object it is given."""
    return QoSProfile(
        history=profile.history, depth=profile.depth, reliability=profile.reliability,
        durability=profile.durability)


def subscribe(node, kind, topic, callback, profile, health, *, remedy='', lost=None):
    """
    Return a subscription that can be overridden and whose troubles are said in words.

    :param kind: message class.
    :param topic: name; it is remapped.
    :param profile: a `QoSProfile`; not changed.
    :param health: a `Health` that gets the notice `qos <resolved topic>`.
    :param remedy: a first way out of a mismatch, where there is one beside the overrides.
    :param lost: called with the number of messages that were sent but did not arrive.
    """
    resolved = node.resolve_topic_name(topic)

    def guarded(message):
        try:
            callback(message)
        except Exception as error:
            # An executor ends the process with it, and no message may end the node.
            health.fault('bad_message', f'{resolved}: {type(error).__name__}: {error}; '
                         'the message is ignored')

    def incompatible(event):
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        health.notice(f'qos {resolved}', explain(resolved, policy, 'publisher', remedy))

    def missed(event):
        lost(event.total_count_change)

    def create(**events):
        return node.create_subscription(
            kind, topic, guarded, copy(profile), qos_overriding_options=overridable(),
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=incompatible, **events))

    if lost is None:
        return create()
    try:
        return create(message_lost=missed)
    except UnsupportedEventTypeError:
        # Not every middleware tells of losses; the images are more important.
        return create()


def publisher_events(topic, health):
    """Return the callbacks that put an incompatible subscription into words."""
    def incompatible(event):
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        health.notice(f'qos {topic}', explain(topic, policy, 'subscription'))

    return PublisherEventCallbacks(incompatible_qos=incompatible)


def explain(topic, policy, other, remedy=''):
    """
    Return what an incompatible policy means and what to set.

    :param policy: name as rclpy gives it, such as 'RELIABILITY'.
    :param other: 'publisher' or 'subscription': the far end.
    """
    name = policy.lower()
    if other == 'publisher':
        loose = {'reliability': 'best_effort', 'durability': 'volatile'}.get(name, 'looser')
        return (f'a publisher on {topic} offers less {name} than this node asks for: nothing '
                f'will arrive from it. {remedy}Set '
                f'qos_overrides.{topic}.subscription.{name} to {loose}, or change the publisher')
    return (f'a subscription to {topic} asks for more {name} than this node offers: it will get '
            f'nothing. Change the {name} of the subscription')
