"""Quality of service by name, and a mismatch said in words instead of silence."""
from rclpy.qos import (
    DurabilityPolicy, HistoryPolicy, qos_policy_name_from_kind, qos_profile_sensor_data,
    qos_profile_system_default, QoSPolicyKind, QoSProfile, ReliabilityPolicy)
from rclpy.qos_overriding_options import QoSOverridingOptions

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

RELIABLE = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5,
                      reliability=ReliabilityPolicy.RELIABLE)
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


def subscription_events(topic, health, remedy=''):
    """
    Return the callbacks that put an incompatible publisher into words.

    :param topic: resolved name, for the words and for the notice.
    :param health: a `Health` that gets the notice `qos <topic>`.
    :param remedy: a first way out, where there is one beside the overrides.
    """
    def incompatible(event):
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        health.notice(f'qos {topic}', explain(topic, policy, 'publisher', remedy))

    return SubscriptionEventCallbacks(incompatible_qos=incompatible)


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
    name = policy.rsplit('_', 1)[0] if policy.endswith('_QOS_POLICY') else policy
    name = name.lower()
    if other == 'publisher':
        loose = {'reliability': 'best_effort', 'durability': 'volatile'}.get(name, 'looser')
        return (f'a publisher on {topic} offers less {name} than this node asks for: nothing '
                f'will arrive from it. {remedy}Set '
                f'qos_overrides.{topic}.subscription.{name} to {loose}, or change the publisher')
    return (f'a subscription to {topic} asks for more {name} than this node offers: it will get '
            f'nothing. Change the {name} of the subscription')
