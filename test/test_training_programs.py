"""The training commands as programs: what a user can repair is one line, not a traceback."""
import runpy
import sys

import pytest

OUT = ('--out', 'weights.safetensors')
COMMANDS = {
    'box_refinement': ('--sequences', 'nowhere', *OUT),
    'cstnet_spatial': ('--sequences', 'nowhere', *OUT),
    'cstnet_temporal': ('--sequences', 'nowhere', *OUT),
    'edcf': ('--sequences', 'nowhere', *OUT),
    'edcf_imitation': ('--data', 'nowhere', *OUT),
    'motion_model': ('--sequences', 'nowhere', *OUT),
    'score_calibration': ('nowhere',),
    'siam_rcnn': ('--sequences', 'nowhere', *OUT),
    'vggm': ('--data', 'nowhere', *OUT),
}


@pytest.mark.parametrize('name', COMMANDS)
@pytest.mark.filterwarnings('ignore:.*found in sys.modules:RuntimeWarning')
def test_missing_data_end_a_training_command_with_one_line_that_names_them(
        name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', [f'{name}.py', *COMMANDS[name]])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f'tracking_nodes.training.{name}', run_name='__main__')
    assert str(ended.value).startswith(f'{name}: ')
    assert 'nowhere' in str(ended.value)
    assert '\n' not in str(ended.value)
